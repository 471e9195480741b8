SELECT * FROM dead_letter_named WHERE id = $1
