-- Shapes that no merge answers: the rows are gathered, and MySQL runs the statement over them.
SELECT a.order_id, b.order_id FROM orders a JOIN orders b ON a.total = b.total AND a.order_id < b.order_id ORDER BY a.order_id, b.order_id;
SELECT level, count(DISTINCT region_id) FROM users GROUP BY level ORDER BY level;
SELECT user_id, row_number() OVER (ORDER BY balance, user_id) AS n FROM users ORDER BY user_id;
SELECT name FROM users WHERE user_id IN (SELECT user_id FROM orders WHERE total > 100) ORDER BY name, user_id;
