SELECT duty, server, until FROM leader ORDER BY duty
