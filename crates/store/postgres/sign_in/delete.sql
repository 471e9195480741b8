DELETE FROM sign_in WHERE id = $1
