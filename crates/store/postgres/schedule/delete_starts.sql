DELETE FROM schedule_start WHERE scope = $1 AND name = $2
