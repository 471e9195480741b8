INSERT INTO artifact_ref (artifact, run) VALUES (?1, ?2)
ON CONFLICT (artifact, run) DO NOTHING
