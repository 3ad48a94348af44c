-- JSON_TABLE beside tables: rows that are computed of a value.

-- Alone, and of each row of one table
SELECT * FROM JSON_TABLE('[1, 2, 5]', '$[*]' COLUMNS (n FOR ORDINALITY, a INT PATH '$')) AS j;
SELECT u.user_id, j.n, j.a FROM users u JOIN JSON_TABLE(CONCAT('[', u.user_id, ', ', u.region_id, ']'), '$[*]' COLUMNS (n FOR ORDINALITY, a INT PATH '$')) AS j WHERE u.user_id < 9 ORDER BY 1, 2;
SELECT u.user_id, j.n, j.a FROM users u, JSON_TABLE(JSON_ARRAY(u.user_id, u.region_id), '$[*]' COLUMNS (n FOR ORDINALITY, a INT PATH '$')) j WHERE u.user_id = 7 ORDER BY 1, 2;
SELECT COUNT(*), SUM(j.a) FROM users u, JSON_TABLE(JSON_ARRAY(u.user_id, u.region_id), '$[*]' COLUMNS (a INT PATH '$')) j;
SELECT j.a, COUNT(*) FROM users u LEFT JOIN JSON_TABLE(JSON_ARRAY(u.region_id), '$[*]' COLUMNS (a INT PATH '$')) j ON j.a > 2 GROUP BY j.a ORDER BY 1;
SELECT r.name, j.a FROM regions r JOIN JSON_TABLE(JSON_ARRAY(r.region_id), '$[*]' COLUMNS (a INT PATH '$')) j ON j.a > 1 ORDER BY 1, 2;

-- A value of the document is no shard key: what stands in it is known to the server alone
SELECT j.a, u.name FROM JSON_TABLE('[1, 2, 5, 6000000]', '$[*]' COLUMNS (a INT PATH '$')) j JOIN users u ON u.user_id = j.a ORDER BY 1;
SELECT j.a, u.name FROM JSON_TABLE('[1, 2, 5, 6000000]', '$[*]' COLUMNS (a INT PATH '$')) j LEFT JOIN users u ON u.user_id = j.a ORDER BY 1;
SELECT j.a, u.name FROM users u RIGHT JOIN JSON_TABLE('[1, 2, 5, 6000000]', '$[*]' COLUMNS (a INT PATH '$')) j ON u.user_id = j.a ORDER BY 1;
SELECT u.user_id, j.user_id FROM users u JOIN JSON_TABLE(JSON_ARRAY(u.user_id + 1), '$[*]' COLUMNS (user_id INT PATH '$')) j WHERE j.user_id = 4;
SELECT u.user_id, j.b FROM users u JOIN JSON_TABLE(JSON_OBJECT('user_id', u.user_id), '$' COLUMNS (NESTED PATH '$' COLUMNS (b INT PATH '$.user_id'))) j WHERE j.b = 4;
SELECT o.order_id, o.user_id FROM orders o WHERE o.user_id IN (SELECT j.a FROM JSON_TABLE('[3, 4]', '$[*]' COLUMNS (a INT PATH '$')) j) ORDER BY 1;
SELECT u.user_id, o.order_id FROM users u JOIN JSON_TABLE(JSON_ARRAY(u.user_id), '$[*]' COLUMNS (a INT PATH '$')) j JOIN orders o ON o.user_id = j.a WHERE u.user_id < 5 ORDER BY 1, 2;
SELECT u.user_id, (SELECT SUM(j.a) FROM JSON_TABLE(JSON_ARRAY(u.user_id, 2), '$[*]' COLUMNS (a INT PATH '$')) j) AS s FROM users u WHERE u.user_id < 6 ORDER BY 1;
SELECT i.item_id, j.a FROM items i JOIN order_items l ON l.item_id = i.item_id JOIN JSON_TABLE(JSON_ARRAY(l.quantity), '$[*]' COLUMNS (a INT PATH '$')) j WHERE i.item_id < 5 ORDER BY 1, l.id, 2;
WITH j AS (SELECT a FROM JSON_TABLE('[1, 2]', '$[*]' COLUMNS (a INT PATH '$')) t) SELECT u.name, j.a FROM users u JOIN j ON j.a = u.user_id ORDER BY 2;

-- What is changed by it
BEGIN;
UPDATE users u JOIN JSON_TABLE('[{"k": 3, "v": "three"}, {"k": 5, "v": "five"}]', '$[*]' COLUMNS (k INT PATH '$.k', v VARCHAR(20) PATH '$.v')) j ON j.k = u.user_id SET u.name = j.v;
SELECT user_id, name FROM users WHERE user_id < 7 ORDER BY 1;
DELETE u FROM users u JOIN JSON_TABLE('[3]', '$[*]' COLUMNS (k INT PATH '$')) j ON j.k = u.user_id;
SELECT user_id, name FROM users WHERE user_id < 7 ORDER BY 1;
DELETE FROM users WHERE user_id IN (SELECT j.k FROM JSON_TABLE('[5, 6]', '$[*]' COLUMNS (k INT PATH '$')) j);
SELECT user_id, name FROM users WHERE user_id < 9 ORDER BY 1;
ROLLBACK;
