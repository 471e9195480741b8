SELECT record FROM change_check WHERE change = $1 ORDER BY task DESC LIMIT $2
