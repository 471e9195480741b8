SELECT record FROM change_proposal WHERE change = $1 ORDER BY generation DESC LIMIT $2
