SELECT a.chain, a.seq, a.hash
FROM audit a JOIN (SELECT chain, max(seq) AS seq FROM audit GROUP BY chain) h ON h.chain = a.chain AND h.seq = a.seq
