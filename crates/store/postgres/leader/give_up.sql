DELETE FROM leader WHERE duty = $1 AND server = $2
