SELECT input FROM run_input WHERE run = ?1
