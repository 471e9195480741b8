-- A template: one row, a value a column.
INSERT INTO {table} VALUES ({values})
