UPDATE task SET waits_for = $2, dependencies = (SELECT count(*) FROM dependency WHERE task = $1) WHERE id = $1
