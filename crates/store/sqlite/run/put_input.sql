INSERT INTO run_input (run, input)
VALUES (?1, ?2)
