DELETE FROM dependency WHERE task = $1
