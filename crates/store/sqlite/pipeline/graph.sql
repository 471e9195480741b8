SELECT graph FROM pipeline_version WHERE id = ?1
