UPDATE run
SET state = ?3, reruns = ?4, stops_asked = ?5, stops_stopped = ?6, stops_unconfirmed = ?7, begun_at = ?8,
    ended_at = ?9, error = ?10, progress = ?11
WHERE id = ?1 AND state = ?2
