DELETE FROM pipeline_history WHERE scope = ?1 AND name = ?2
