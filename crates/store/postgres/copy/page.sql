-- A template (src/copy/text.rs): rows of a table in the order of its key, after the last one that was read.
SELECT * FROM {table} WHERE ({key}) > ({after}) ORDER BY {key} LIMIT {limit}
