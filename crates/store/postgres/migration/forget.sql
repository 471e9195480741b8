DELETE FROM migration WHERE version = $1
