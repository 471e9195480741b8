-- A template: what the planner has to know of a table that was empty before.
ANALYZE {table}
