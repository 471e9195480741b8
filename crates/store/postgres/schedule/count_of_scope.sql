SELECT count(*) FROM schedule WHERE scope = $1
