-- A template: removes what an interrupted copy has left.
DELETE FROM {table}
