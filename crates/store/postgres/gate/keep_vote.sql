INSERT INTO gate_vote (gate, seq, identity, record) VALUES ($1, $2, $3, $4)
