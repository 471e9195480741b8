SELECT name FROM schedule WHERE scope = $1 AND what::json #>> '{pipeline,name}' = $2 ORDER BY name LIMIT 1
