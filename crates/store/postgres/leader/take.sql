-- Takes a duty that is free or has ended, or renews one's own. One that lasts longer than anybody takes it for is of a time before
-- the clock was set back.
INSERT INTO leader (duty, server, until) VALUES ($1, $2, $4)
ON CONFLICT (duty) DO UPDATE SET server = excluded.server, until = excluded.until
WHERE leader.server = excluded.server OR leader.until <= $3 OR leader.until > $4
