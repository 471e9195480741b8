-- The largest key that any thing with an id has.
SELECT max((SELECT coalesce(max(id), 0) FROM task), (SELECT coalesce(max(id), 0) FROM gate),
           (SELECT coalesce(max(id), 0) FROM change), (SELECT coalesce(max(id), 0) FROM token),
           (SELECT coalesce(max(id), 0) FROM dead_letter), (SELECT coalesce(max(id), 0) FROM artifact))
