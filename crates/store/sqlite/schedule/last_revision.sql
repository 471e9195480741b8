-- Of the runs that a schedule of this name has started, also of one that was removed: no slot of theirs comes again.
SELECT max(slot_revision) FROM run WHERE scope = ?1 AND schedule = ?2
