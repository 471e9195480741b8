SELECT name FROM schedule WHERE scope = ?1 AND json_extract(what, '$.pipeline.name') = ?2 ORDER BY name LIMIT 1
