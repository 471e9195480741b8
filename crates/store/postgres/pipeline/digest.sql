SELECT sha256 FROM pipeline_version WHERE id = $1
