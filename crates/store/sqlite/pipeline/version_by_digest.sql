SELECT id FROM pipeline_version WHERE scope = ?1 AND sha256 = ?2
