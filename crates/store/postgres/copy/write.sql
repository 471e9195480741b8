-- A template: rows in the binary form, each with all columns.
COPY {table} FROM STDIN (FORMAT binary)
