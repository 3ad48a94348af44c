-- Shapes that no merge answers: the rows are gathered, and MySQL runs the statement over them.

-- Keys that may mean several items
SELECT order_id AS x, CONCAT(status, 'a') AS x FROM orders ORDER BY x, order_id LIMIT 20;
SELECT order_id, total FROM orders ORDER BY -(-1) LIMIT 20;

-- Values that SET takes from tables
SET @n = (SELECT COUNT(*) FROM orders);
SELECT @n;
SET @n = (SELECT MAX(order_id) FROM orders WHERE user_id = 5), @t = (SELECT MAX(title) FROM items);
SELECT @n, @t;
SET @n = 1 + (SELECT COUNT(*) FROM regions);
SELECT @n;
SET @n = (SELECT user_id, name FROM users LIMIT 1);
SET @n = (SELECT name FROM users);

-- Joins
SELECT a.order_id, b.order_id FROM orders a JOIN orders b ON a.total = b.total AND a.order_id < b.order_id ORDER BY a.order_id, b.order_id;
SELECT o.order_id, l.line, l.item_id FROM orders o JOIN order_items l ON l.order_id = o.order_id WHERE o.user_id < 9 ORDER BY o.order_id, l.line;
SELECT o.order_id, i.title FROM orders o JOIN order_items l ON l.order_id = o.order_id JOIN items i ON i.item_id = l.item_id WHERE o.status = 'paid' ORDER BY o.order_id, l.line;
SELECT count(*), sum(l.quantity) FROM order_items l, items i WHERE (l.item_id = i.item_id AND i.category = 'tea' AND l.quantity BETWEEN 1 AND 2) OR (i.item_id = l.item_id AND i.category = 'book' AND l.quantity > 3);
SELECT l.id, i.item_id FROM order_items l LEFT JOIN items i ON (i.item_id = l.item_id AND i.category = 'tea' AND l.quantity < 3) OR (i.item_id = l.item_id AND i.category = 'lamp') ORDER BY l.id LIMIT 60;
SELECT l.id, i.item_id FROM order_items l JOIN items i ON (i.item_id = l.item_id AND i.category = 'tea') OR (i.item_id = l.line AND i.category = 'book') ORDER BY l.id, i.item_id LIMIT 60;
SELECT l.id FROM order_items l JOIN orders o ON o.order_id = l.order_id WHERE l.quantity > l.line AND (o.status = 'paid' OR l.quantity = 1 OR l.line < l.quantity AND o.user_id < 20) ORDER BY l.id;
SELECT u.user_id, o.order_id FROM users u JOIN regions r ON r.region_id = u.region_id JOIN orders o ON o.order_id = u.user_id WHERE r.region_id < 3 ORDER BY 1, 2;
SELECT i.item_id FROM items i WHERE NOT EXISTS (SELECT 1 FROM order_items l WHERE l.item_id = i.item_id AND l.quantity > l.line) ORDER BY 1;
SELECT i.item_id, i.title, count(l.id) AS n FROM items i LEFT JOIN order_items l ON l.item_id = i.item_id GROUP BY i.item_id, i.title ORDER BY n DESC, i.item_id;
SELECT i.item_id, l.id FROM items i LEFT JOIN order_items l ON l.item_id = i.item_id AND l.quantity > 3 WHERE i.category = 'tea' ORDER BY i.item_id, l.id;
SELECT l.id, i.title FROM items i RIGHT JOIN order_items l ON l.item_id = i.item_id AND i.category = 'book' ORDER BY l.id LIMIT 40;
SELECT i.item_id FROM items i LEFT JOIN order_items l ON l.item_id = i.item_id WHERE l.id IS NULL ORDER BY i.item_id;
SELECT u.name, o.order_id, i.title FROM users u LEFT JOIN (orders o JOIN order_items l ON l.order_id = o.order_id JOIN items i ON i.item_id = l.item_id) ON o.user_id = u.user_id AND i.category = 'lamp' WHERE u.user_id < 30 ORDER BY u.user_id, o.order_id, l.line;
SELECT u.user_id, v.user_id FROM users u, users v WHERE u.region_id = v.region_id AND u.user_id < v.user_id AND u.level = 'diamond' AND v.level = 'diamond' ORDER BY 1, 2;
SELECT count(*) FROM users u CROSS JOIN stock s WHERE u.user_id < 10 AND s.item_id < 10;
SELECT u.name, i.title FROM users u STRAIGHT_JOIN items i ON i.item_id = u.user_id WHERE u.user_id BETWEEN 5 AND 25 ORDER BY u.user_id;
SELECT order_id, line, status FROM orders JOIN order_items USING (order_id) WHERE order_id < 40 ORDER BY order_id, line;
SELECT * FROM orders NATURAL JOIN order_items WHERE order_id < 12 ORDER BY order_id, line;
SELECT orders.*, items.title FROM orders JOIN order_items ON order_items.order_id = orders.order_id JOIN items ON items.item_id = order_items.item_id WHERE orders.order_id = 17 ORDER BY order_items.line;
SELECT shop.orders.order_id, shop.items.title FROM shop.orders JOIN shop.order_items ON shop.order_items.order_id = shop.orders.order_id JOIN shop.items USING (item_id) WHERE shop.orders.total > 200 ORDER BY shop.orders.order_id, shop.order_items.line;
SELECT o.order_id, c.percent FROM orders o JOIN coupons c ON c.code = o.coupon ORDER BY o.order_id LIMIT 9;
SELECT o.order_id, c.percent, r.name FROM orders o LEFT JOIN coupons c ON c.code = o.coupon AND c.percent > 10 JOIN regions r ON r.region_id = o.region_id WHERE o.total < 60 ORDER BY o.order_id;
SELECT r.name, c.code FROM regions r JOIN coupons c ON c.percent = r.region_id JOIN users u ON u.user_id = r.region_id ORDER BY 1, 2;
SELECT r.name, u.name FROM regions r LEFT JOIN users u ON u.region_id = r.region_id AND u.level = 'gold' ORDER BY r.region_id, u.user_id;
SELECT s.item_id, s.quantity, x.sold FROM stock s JOIN (SELECT item_id, sum(quantity) AS sold FROM order_items GROUP BY item_id) x ON x.item_id = s.item_id ORDER BY x.sold DESC, s.item_id LIMIT 15;
SELECT a.user_id, b.user_id FROM users a JOIN users b ON b.region_id = a.region_id WHERE a.user_id = 1 AND b.user_id <> 1 ORDER BY 2;
SELECT a.name, b.name FROM users a JOIN users b ON a.name = b.name AND a.user_id <> b.user_id ORDER BY a.user_id, b.user_id;
SELECT u.user_id FROM users u JOIN orders o ON o.user_id = u.user_id + 1 WHERE o.total > 150 ORDER BY u.user_id, o.order_id;
SELECT a.item_id, b.item_id FROM items a LEFT JOIN items b ON b.price = a.price AND b.item_id > a.item_id ORDER BY a.item_id, b.item_id LIMIT 30;

-- Joins by keys of a few rows
SELECT o.order_id, l.line FROM orders o JOIN order_items l ON l.order_id = o.order_id WHERE o.user_id = 5 ORDER BY 1, 2;
SELECT o.order_id, l.line FROM orders o LEFT JOIN order_items l ON l.order_id = o.order_id AND l.quantity > 1 WHERE o.total > 30000 ORDER BY 1, 2;
SELECT i.item_id, i.title, o.status FROM orders o JOIN order_items l USING (order_id) JOIN items i USING (item_id) WHERE o.order_id BETWEEN 20 AND 25 ORDER BY o.order_id, l.line;
SELECT item_id, title FROM items WHERE item_id IN (SELECT item_id FROM order_items WHERE user_id IN (3, 4)) ORDER BY item_id;
SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.region_id = u.region_id AND o.note IS NOT NULL) AND u.user_id < 20 ORDER BY user_id;
SELECT u.user_id, (SELECT count(*) FROM items i WHERE i.item_id = u.user_id) AS n FROM users u WHERE u.level = 'gold' ORDER BY u.user_id;
SELECT o.order_id, l.line FROM orders o JOIN order_items l ON l.order_id = o.order_id WHERE o.user_id = -5;
SELECT r.name, u.name FROM regions r JOIN users u ON u.region_id = r.region_id LEFT JOIN items i ON i.item_id = u.user_id WHERE r.region_id = 3 ORDER BY u.user_id;
SELECT u.name, s.quantity FROM users u JOIN orders o ON o.region_id = u.region_id JOIN stock s ON s.item_id = o.order_id WHERE u.user_id = 12 ORDER BY o.order_id;
SELECT SQL_CALC_FOUND_ROWS o.order_id FROM orders o JOIN order_items l ON l.order_id = o.order_id WHERE o.total > 100 ORDER BY o.order_id, l.line LIMIT 3;
SELECT FOUND_ROWS();
SELECT SQL_CALC_FOUND_ROWS user_id FROM users ORDER BY user_id LIMIT 3;
SELECT FOUND_ROWS();

-- Subqueries
SELECT name FROM users WHERE user_id IN (SELECT user_id FROM orders WHERE total > 100) ORDER BY name, user_id;
SELECT user_id FROM users WHERE user_id NOT IN (SELECT user_id FROM orders WHERE status <> 'new') ORDER BY user_id;
SELECT item_id FROM items i WHERE EXISTS (SELECT 1 FROM order_items l WHERE l.item_id = i.item_id AND l.quantity >= 3) ORDER BY item_id;
SELECT item_id FROM items i WHERE NOT EXISTS (SELECT * FROM order_items l WHERE l.item_id = i.item_id) ORDER BY item_id;
SELECT order_id, total FROM orders WHERE total = (SELECT max(total) FROM orders);
SELECT order_id, total FROM orders WHERE total > (SELECT avg(total) FROM orders) ORDER BY total DESC, order_id LIMIT 10;
SELECT order_id, total FROM orders o WHERE total > (SELECT avg(p.total) FROM orders p WHERE p.region_id = o.region_id) ORDER BY order_id LIMIT 20;
SELECT user_id, (SELECT count(*) FROM order_items l WHERE l.item_id = u.user_id) AS n FROM users u ORDER BY user_id LIMIT 20;
SELECT user_id, (SELECT count(*) FROM orders), (SELECT max(item_id) FROM items) AS m FROM users ORDER BY user_id LIMIT 2;
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM regions);
SELECT EXISTS (SELECT 1 FROM orders WHERE total > 100000) AS any_order, EXISTS (SELECT 1 FROM users WHERE level = 'gold');
SELECT order_id FROM orders WHERE (user_id, region_id) IN (SELECT user_id, region_id FROM users WHERE level = 'silver') ORDER BY order_id;
SELECT order_id FROM orders WHERE total >= ALL (SELECT total FROM orders WHERE status = 'cancelled') ORDER BY order_id;
SELECT order_id FROM orders WHERE total < ANY (SELECT price FROM items WHERE category = 'tea') ORDER BY order_id;
SELECT name FROM users WHERE user_id = (SELECT user_id FROM orders ORDER BY total DESC, order_id LIMIT 1);
SELECT * FROM users WHERE user_id = (SELECT user_id FROM orders WHERE user_id = 7);
SELECT x.level, x.n FROM (SELECT level, count(*) AS n FROM users GROUP BY level) x WHERE x.n > 10 ORDER BY x.level;
SELECT avg(x.n), max(x.n) FROM (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id) x;
SELECT count(*) FROM (SELECT DISTINCT region_id, status FROM orders) x;
SELECT * FROM (SELECT order_id, total FROM orders ORDER BY total DESC, order_id LIMIT 5) x ORDER BY order_id;
SELECT y.m FROM (SELECT max(x.s) AS m FROM (SELECT user_id, sum(total) AS s FROM orders GROUP BY user_id) x) y;
SELECT a.n, b.n FROM (SELECT count(*) AS n FROM users) a, (SELECT count(*) AS n FROM orders) b;
SELECT region_id, name FROM regions r WHERE region_id IN (SELECT region_id FROM users GROUP BY region_id HAVING count(*) > 3) ORDER BY region_id;
SELECT user_id FROM users ORDER BY (SELECT count(*) FROM orders o WHERE o.user_id = users.user_id) DESC, user_id LIMIT 10;
SELECT level, count(*) AS n FROM users GROUP BY level HAVING n > (SELECT count(*) FROM regions) ORDER BY level;
SELECT CASE WHEN EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.user_id) THEN 'buyer' ELSE 'visitor' END AS kind, count(*) FROM users u GROUP BY kind ORDER BY kind;

-- UNION, EXCEPT, INTERSECT
SELECT user_id FROM users UNION SELECT user_id FROM orders ORDER BY user_id;
SELECT region_id FROM users UNION ALL SELECT region_id FROM regions ORDER BY region_id;
SELECT user_id, name FROM users WHERE user_id < 5 UNION ALL SELECT item_id, title FROM items WHERE item_id < 5 ORDER BY 1, 2;
SELECT level FROM users UNION SELECT status FROM orders ORDER BY 1;
SELECT user_id FROM users EXCEPT SELECT user_id FROM orders ORDER BY 1;
SELECT item_id FROM items INTERSECT SELECT item_id FROM order_items ORDER BY 1;
(SELECT order_id, total FROM orders ORDER BY total DESC, order_id LIMIT 3) UNION ALL (SELECT order_id, total FROM orders ORDER BY total, order_id LIMIT 3) ORDER BY total, order_id;
SELECT 'user' AS kind, count(*) FROM users UNION ALL SELECT 'order', count(*) FROM orders UNION ALL SELECT 'region', count(*) FROM regions ORDER BY kind;
SELECT count(*) FROM (SELECT user_id FROM users UNION SELECT item_id FROM items) x;
SELECT user_id FROM users WHERE user_id IN (SELECT user_id FROM orders UNION SELECT item_id FROM items WHERE item_id < 3) ORDER BY user_id LIMIT 20;
SELECT user_id AS id FROM users UNION SELECT item_id FROM items ORDER BY id DESC LIMIT 5 OFFSET 2;

-- Common table expressions
WITH big AS (SELECT * FROM orders WHERE total > 120) SELECT order_id, total FROM big ORDER BY total DESC, order_id;
WITH sold AS (SELECT item_id, sum(quantity) AS q FROM order_items GROUP BY item_id) SELECT i.title, s.q FROM sold s JOIN items i ON i.item_id = s.item_id ORDER BY s.q DESC, i.item_id LIMIT 12;
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 6) SELECT n.i, count(o.order_id) FROM n LEFT JOIN orders o ON o.user_id = n.i GROUP BY n.i ORDER BY n.i;
WITH RECURSIVE chain AS (SELECT user_id, 1 AS depth FROM users WHERE user_id = 1 UNION ALL SELECT u.user_id, c.depth + 1 FROM users u JOIN chain c ON u.user_id = c.user_id * 2) SELECT * FROM chain ORDER BY depth;
WITH c (id, label) AS (SELECT user_id, name FROM users) SELECT label FROM c WHERE id IN (SELECT user_id FROM orders WHERE total > 180) ORDER BY id;
WITH users AS (SELECT item_id AS user_id FROM items) SELECT count(*) FROM users;
WITH a AS (SELECT user_id, count(*) AS n FROM orders GROUP BY user_id), b AS (SELECT max(n) AS m FROM a) SELECT a.user_id FROM a JOIN b ON a.n = b.m ORDER BY a.user_id;
WITH per AS (SELECT region_id, sum(total) AS s FROM orders GROUP BY region_id) SELECT x.region_id, y.region_id FROM per x JOIN per y ON x.s < y.s AND x.region_id = y.region_id - 1 ORDER BY 1, 2;
WITH per AS (SELECT region_id, sum(total) AS s FROM orders GROUP BY region_id) SELECT region_id FROM per WHERE s = (SELECT max(s) FROM per) OR s = (SELECT min(s) FROM per) ORDER BY region_id;
WITH a AS (SELECT user_id, region_id FROM users WHERE level = 'gold'), b AS (SELECT region_id, count(*) AS n FROM a GROUP BY region_id), c AS (SELECT a.user_id, b.n FROM a JOIN b ON a.region_id = b.region_id) SELECT x.user_id, y.user_id, x.n FROM c x JOIN c y ON x.n = y.n AND x.user_id < y.user_id ORDER BY 1, 2 LIMIT 20;
WITH k (id, t) AS (SELECT i.item_id, i.title FROM items AS i WHERE i.price > 50) SELECT k.id, other.t FROM k JOIN k AS other ON other.id = k.id + 1 ORDER BY k.id;
WITH RECURSIVE chain AS (SELECT user_id, 1 AS depth FROM users WHERE user_id = 1 UNION ALL SELECT u.user_id, c.depth + 1 FROM users u JOIN chain c ON u.user_id = c.user_id * 2) SELECT x.user_id, y.depth FROM chain x JOIN chain y ON y.depth = x.depth + 1 ORDER BY 1, 2;
WITH s AS (SELECT status FROM orders) SELECT count(*) FROM s UNION ALL SELECT count(DISTINCT status) FROM s UNION ALL SELECT count(*) FROM s WHERE status = 'new' ORDER BY 1;

-- Windows
SELECT user_id, row_number() OVER (ORDER BY balance, user_id) AS n FROM users ORDER BY user_id;
SELECT order_id, region_id, rank() OVER (PARTITION BY region_id ORDER BY total DESC, order_id) AS r FROM orders ORDER BY order_id LIMIT 30;
SELECT order_id, sum(total) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM orders ORDER BY order_id LIMIT 30;
SELECT order_id, lag(total) OVER w, lead(total, 2) OVER w FROM orders WINDOW w AS (ORDER BY order_id) ORDER BY order_id LIMIT 15;
SELECT level, balance, first_value(user_id) OVER (PARTITION BY level ORDER BY balance, user_id) AS f FROM users ORDER BY user_id LIMIT 20;
SELECT * FROM (SELECT item_id, category, price, dense_rank() OVER (PARTITION BY category ORDER BY price DESC, item_id) AS d FROM items) x WHERE d <= 2 ORDER BY category, d, item_id;
SELECT level, count(*) AS n, sum(count(*)) OVER (ORDER BY level) AS running FROM users GROUP BY level ORDER BY level;
SELECT user_id, ntile(4) OVER (ORDER BY user_id) AS q, percent_rank() OVER (ORDER BY user_id) AS p FROM users ORDER BY user_id LIMIT 12;

-- Aggregates and groups
SELECT level, count(DISTINCT region_id) FROM users GROUP BY level ORDER BY level;
SELECT count(DISTINCT user_id), count(DISTINCT region_id, status), sum(DISTINCT region_id) FROM orders;
SELECT status, count(*) AS n FROM orders GROUP BY status HAVING n > 20 ORDER BY n DESC, status;
SELECT region_id, sum(total) FROM orders GROUP BY region_id HAVING sum(total) > 500 AND count(*) > 3 ORDER BY 2 DESC, 1;
SELECT status, sum(total) / count(*) AS mean, max(total) - min(total) FROM orders GROUP BY status ORDER BY status;
SELECT round(avg(total), 3), concat('n=', count(*)) FROM orders;
SELECT stddev(total), variance(total), std(total) FROM orders WHERE user_id < 50;
SELECT status, group_concat(order_id ORDER BY order_id SEPARATOR ';') FROM orders WHERE user_id < 20 GROUP BY status ORDER BY status;
SELECT group_concat(DISTINCT level ORDER BY level DESC) FROM users;
SELECT status, region_id, count(*) FROM orders WHERE region_id < 4 GROUP BY status, region_id WITH ROLLUP;
SELECT status, grouping(status), sum(total) FROM orders GROUP BY status WITH ROLLUP;
SELECT sum(total) FROM orders GROUP BY region_id ORDER BY sum(total) DESC LIMIT 3;
SELECT min(level), max(level) FROM users;
SELECT min(status), max(status) FROM orders WHERE user_id < 40;
SELECT json_arrayagg(x.region_id) FROM (SELECT DISTINCT region_id FROM users WHERE region_id < 4 ORDER BY region_id) x;
SELECT sum(total * region_id), sum(CASE WHEN status = 'paid' THEN 1 ELSE 0 END) + 1 FROM orders;
SELECT ifnull(max(note), 'none') FROM orders WHERE user_id = -5 OR total > 1e9;
SELECT year(created_at), month(created_at), count(DISTINCT user_id) FROM orders GROUP BY 1, 2 ORDER BY 1, 2;
SELECT length(name) AS l, count(*) FROM users GROUP BY l HAVING count(*) > 1 ORDER BY l;
SELECT DISTINCT u.level, o.status FROM users u JOIN orders o ON o.region_id = u.region_id ORDER BY u.level, o.status;
SELECT count(*) FROM users HAVING count(*) > 1000000;

-- Order by values that don't merge
SELECT user_id, profile FROM users WHERE user_id < 40 ORDER BY json_extract(profile, '$.a'), user_id;
SELECT item_id FROM items ORDER BY attributes, item_id LIMIT 10;
SELECT user_id FROM users ORDER BY concat(level, name), user_id LIMIT 10;
SELECT user_id FROM users ORDER BY name COLLATE utf8mb4_bin DESC, user_id LIMIT 10;
SELECT user_id FROM users ORDER BY field(level, 'gold', 'plain', 'silver', 'diamond'), user_id LIMIT 10;
SELECT concat(9 - region_id) AS region_id, user_id FROM users ORDER BY region_id, user_id LIMIT 12;
SELECT DISTINCT name FROM users WHERE user_id < 30 ORDER BY upper(name), name;
SELECT *, total * 2 FROM orders ORDER BY 1 LIMIT 5;

-- All kinds of columns as they are
SELECT u.*, o.* FROM users u JOIN orders o ON o.region_id = u.region_id AND o.order_id = u.user_id ORDER BY u.user_id;
SELECT i.*, s.* FROM items i JOIN stock s ON s.item_id = i.item_id + 1 ORDER BY i.item_id LIMIT 20;
SELECT c.*, r.* FROM coupons c JOIN regions r ON r.region_id = c.percent JOIN users u ON u.user_id = r.region_id ORDER BY c.code;
SELECT sum(score), avg(score), min(score), max(score) FROM users u JOIN items i ON i.item_id = u.user_id;
SELECT hex(picture), weight_kg FROM items i JOIN users u ON u.user_id = i.item_id ORDER BY i.item_id LIMIT 20;
SELECT u.name = v.name, u.level = v.level FROM users u JOIN users v ON v.user_id = u.user_id + 1 ORDER BY u.user_id LIMIT 10;

-- Functions of the session
SELECT count(DISTINCT region_id), database(), now() > '2000-01-01', connection_id() > 0 FROM users;
SELECT count(DISTINCT region_id), found_rows() >= 0 FROM users;
SELECT count(DISTINCT u.region_id) AS n, last_insert_id() AS l FROM users u;
SELECT count(DISTINCT level) FROM users WHERE registered_at < now();
SELECT count(DISTINCT level) + 0 FROM users WHERE user_id > length(uuid());
SELECT max(rand() < 2), count(DISTINCT level) FROM users;

-- Warnings and errors
SELECT count(DISTINCT 1 / (user_id - 5)) FROM users;
SELECT nosuch, count(DISTINCT level) FROM users;
SELECT count(DISTINCT u.nosuch) FROM users u;
SELECT user_id FROM users u JOIN orders o ON o.region_id = u.region_id ORDER BY 1 LIMIT 1;
SELECT x.user_id FROM users u JOIN orders o ON o.region_id = u.region_id;
SELECT count(DISTINCT level) FROM nosuch;
SELECT a.name FROM users a JOIN nosuch b ON a.name = b.name;
SELECT user_id FROM users WHERE user_id = (SELECT user_id FROM orders);
SELECT group_concat(user_id) FROM users GROUP BY nosuch;
SELECT -9223372036854775807 - user_id * 5 FROM users UNION SELECT 1 ORDER BY 1;
SELECT user_id FROM users WHERE (user_id, name) = (SELECT user_id FROM orders LIMIT 1);
-- The second reference needs all rows, and not those that the first one's join asks for.
SELECT i.item_id FROM users u JOIN items i ON u.region_id = i.item_id UNION SELECT i.item_id FROM items i;
SELECT r.region_id FROM users u JOIN regions r ON u.level = r.region_id UNION ALL SELECT r.region_id FROM users u, regions r;
-- A reference gathered by keys has not the rows of another reference of its table.
SELECT i.item_id, (SELECT count(*) FROM items) AS n, (SELECT max(item_id) FROM items) AS m FROM orders o JOIN items i ON i.item_id = o.order_id % 7 + 1 AND i.item_id = o.user_id WHERE o.user_id IN (1, 2, 3);
SELECT x.user_id, (SELECT count(*) FROM users) AS n FROM stock s JOIN users x ON x.user_id = s.item_id WHERE s.item_id IN (3, 4);
SELECT count(*) FROM stock s JOIN users x ON x.user_id = s.item_id JOIN users y ON y.region_id = x.region_id WHERE s.item_id IN (3, 4);
-- A merged column of a RIGHT JOIN is the right side's, and of several tables on a side not the first's.
SELECT u.user_id FROM orders o JOIN stock s ON s.item_id = o.order_id AND o.order_id = -1 RIGHT JOIN users u USING (user_id) WHERE user_id = 2;
SELECT user_id, o.order_id FROM orders o RIGHT JOIN users u USING (user_id) WHERE user_id IN (1, 2, 119) ORDER BY 1, 2;
SELECT u.user_id, o.order_id FROM (SELECT 5 AS user_id UNION SELECT 1) t LEFT JOIN (orders o JOIN stock s ON s.item_id = o.order_id AND o.order_id = -1) USING (user_id) JOIN users u USING (user_id) ORDER BY 1;
-- Without its schema the column would be the derived table's.
-- refused: scatter_subquery
SELECT count(*) FROM shop.users WHERE EXISTS (SELECT 1 FROM (SELECT DISTINCT user_id + 100000 AS user_id FROM orders) AS users JOIN stock ON TRUE WHERE users.user_id = shop.users.user_id);
-- A constant that warns does so where no row comes back, too.
SELECT count(DISTINCT level) FROM users WHERE user_id = 'abc';
SELECT count(DISTINCT level) FROM users WHERE user_id IN ('7', '8x');
SELECT count(DISTINCT status) FROM orders WHERE total = '1e' AND order_id = '007';
SELECT count(DISTINCT status) FROM orders WHERE total > '99.5' AND order_id > '007';
SELECT count(DISTINCT status) FROM orders WHERE created_at = '2024-13-01';
SELECT count(DISTINCT status) FROM orders WHERE created_at > '2024-01-01 00:00:00' AND created_at < '2035-01-01';
-- Items without an alias keep their names inside of derived tables, too.
SELECT * FROM (SELECT (SELECT max(order_id) FROM orders) FROM users WHERE user_id < 3) t;
SELECT `shop.users.user_id+1` FROM (SELECT shop.users.user_id+1 FROM shop.users JOIN orders ON orders.region_id = shop.users.user_id) t ORDER BY 1 LIMIT 3;
WITH c AS (SELECT DISTINCT upper(users.level), users.region_id AS r, users.user_id FROM users WHERE user_id < 9) SELECT * FROM c ORDER BY user_id;
SELECT * FROM users u JOIN (SELECT EXISTS (SELECT 1 FROM orders WHERE orders.user_id = 3), 'x' 'y', CASE WHEN 1 THEN 2 END, count(*) FROM orders) t WHERE u.user_id = 1;
-- A session's temporary tables are on one connection, and this is run on another.
CREATE TEMPORARY TABLE only_here (user_id BIGINT PRIMARY KEY);
SELECT count(*) FROM users a JOIN users b ON a.region_id = b.user_id;
DROP TEMPORARY TABLE only_here;
-- Keys of groups, which shards tell by themselves; and those that they can't.
SELECT u.user_id, i.title FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (SELECT user_id FROM orders GROUP BY user_id HAVING sum(total) > 900.5) ORDER BY 1;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id NOT IN (SELECT user_id FROM orders GROUP BY user_id HAVING count(*) > 1);
SELECT u.user_id FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (SELECT o.user_id FROM orders o WHERE o.status = 'paid' AND o.order_id > 3 GROUP BY o.user_id HAVING count(*) >= 1 AND max(o.order_id) > 9) ORDER BY 1;
SELECT u.user_id FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (SELECT user_id FROM orders GROUP BY user_id) ORDER BY 1;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (SELECT user_id FROM orders GROUP BY user_id HAVING avg(total) > '100x');
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.user_id IN (SELECT user_id FROM orders WHERE note LIKE CONCAT('%', 'a', '%') GROUP BY user_id HAVING count(*) > 1);
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.region_id IN (SELECT region_id FROM orders GROUP BY region_id HAVING count(*) > 20);
SELECT count(*) FROM users u LEFT JOIN items i ON i.item_id = u.region_id AND u.user_id IN (SELECT user_id FROM orders GROUP BY user_id HAVING min(total) < 50) WHERE i.item_id IS NULL;
SELECT u.user_id, (SELECT count(*) FROM orders p WHERE p.region_id = u.region_id) AS n FROM users u WHERE u.user_id IN (SELECT user_id FROM orders GROUP BY user_id HAVING sum(total) > 1500) ORDER BY 1;
SELECT i.item_id FROM items i WHERE i.item_id IN (SELECT user_id FROM orders GROUP BY user_id HAVING count(*) > 2) AND i.item_id IN (SELECT user_id FROM orders) ORDER BY 1;
-- Conditions on parts of texts and on dates that are moved.
SELECT u.name, i.title FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.name LIKE '%a%' AND i.title NOT LIKE 'b%' ORDER BY 1, 2;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.email LIKE 'user\_1%' OR u.user_id LIKE '1%';
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.email LIKE 'user|_1%' ESCAPE '|' AND u.level LIKE 'g%';
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE NOT (u.name LIKE 'A%') AND (u.name LIKE 'C%' | 0);
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.born >= DATE '1970-01-31' + INTERVAL 1 MONTH AND u.born < DATE '1999-12-31' - INTERVAL '1' YEAR AND u.registered_at > DATE '2000-01-01' + INTERVAL '2' QUARTER;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.born BETWEEN DATE '1970-01-31' AND DATE '1990-01-31' + INTERVAL 400 DAY;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE u.born > DATE '1970-01-31' + INTERVAL '1:1' MINUTE_SECOND OR u.born < DATE '1970-01-31' + INTERVAL '1x' DAY;
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE substring(u.name, 1, 1) IN ('A', 'b', 'C') AND left(u.email, 4) = 'user' AND right(i.title, 1) <> 'x';
SELECT count(*) FROM users u JOIN items i ON i.item_id = u.region_id WHERE SUBSTRING(u.name FROM 2 FOR 1) > 'b' AND substr(u.level, 1, 1) = 'g';
-- SOUNDS LIKE, RLIKE and MEMBER OF are no LIKE.
SELECT COUNT(DISTINCT name) FROM users WHERE name SOUNDS LIKE 'Anna Yilmas';
SELECT COUNT(DISTINCT name) FROM users WHERE name SOUNDS LIKE name;
SELECT u.user_id, i.item_id FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.name SOUNDS LIKE 'Ana Yilmaz' ORDER BY 1;
SELECT u.user_id, i.item_id FROM users u JOIN items i ON i.item_id = u.user_id WHERE u.name RLIKE '^A' AND u.user_id < 60 ORDER BY 1;

-- Variables that a prepared SELECT … INTO has set of one shard's row are known wherever they are read
SELECT name, user_id INTO @known, @as FROM users WHERE user_id = 5;
SELECT COUNT(*), @known, @as FROM users u JOIN items i ON i.item_id = u.user_id;

-- What stands behind computed rows names the table that they go into
INSERT INTO items (item_id, title, category, price, attributes) VALUES (ABS(-5), 'x', 'tea', 1, '{}') ON DUPLICATE KEY UPDATE title = items.title, price = IF(VALUES(price) < items.price, items.price, items.price);
