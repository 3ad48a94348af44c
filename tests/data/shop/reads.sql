-- Reads of the shop that must give through Weir what one plain server gives: the same columns and
-- rows, or the same error. Where Weir refuses, the line above the statement says so:
--   -- refused: code
-- A statement ends in a semicolon at the end of its line. Rows are compared in order where the
-- statement has an ORDER BY at its end, else as a multiset. WEIR_BLESS=1 rewrites the refusals;
-- `-- broken: why`, written by hand, marks a defect that is known and not yet mended.

-- One shard
SELECT * FROM users WHERE user_id = 7;
SELECT * FROM users WHERE user_id = '7';
SELECT * FROM users WHERE user_id = 7.0;
SELECT * FROM users WHERE 7 = user_id;
SELECT * FROM users u WHERE u.user_id = 7;
SELECT * FROM shop.users WHERE shop.users.user_id = 7;
SELECT `user_id`, `name` AS `who` FROM `shop`.`users` WHERE `user_id` = 3;
SELECT u.*, 1 AS one FROM users AS u WHERE u.user_id = 12;
SELECT user_id FROM users WHERE user_id = 999999;
SELECT user_id FROM users WHERE user_id = 7 AND name = 'nobody';
SELECT user_id FROM users WHERE user_id = 7 AND user_id = 8;
SELECT user_id FROM users WHERE user_id IS NULL;
SELECT user_id FROM users WHERE user_id = NULL;
SELECT user_id FROM users WHERE user_id <=> 7;
SELECT user_id FROM users WHERE user_id = 3 + 4;
SELECT user_id FROM users WHERE user_id = -1;
SELECT user_id FROM users WHERE user_id = 18446744073709551615;
SELECT user_id FROM users WHERE user_id = '7abc';
SELECT user_id FROM users WHERE user_id = 7.5;
SELECT user_id FROM users WHERE user_id = 0x07;
SELECT user_id FROM users WHERE user_id = TRUE;
SELECT count(*) FROM orders WHERE user_id = 7;
SELECT max(total), min(total), avg(total), sum(total) FROM orders WHERE user_id = 7;
SELECT status, count(*) FROM orders WHERE user_id = 7 GROUP BY status ORDER BY status;
SELECT DISTINCT status FROM orders WHERE user_id = 7 ORDER BY status;
SELECT o.order_id, i.line, i.item_id FROM orders o JOIN order_items i ON i.order_id = o.order_id AND i.user_id = o.user_id WHERE o.user_id = 7 ORDER BY 1, 2;
SELECT u.name, o.order_id FROM users u LEFT JOIN orders o ON o.user_id = u.user_id WHERE u.user_id = 5 ORDER BY o.order_id;
SELECT u.name, r.name FROM users u JOIN regions r ON r.region_id = u.region_id WHERE u.user_id = 9;
SELECT name FROM users WHERE user_id = 9 UNION SELECT note FROM orders WHERE user_id = 9 ORDER BY 1;
SELECT * FROM items WHERE item_id = 20;
SELECT i.title, s.quantity FROM items i JOIN stock s USING (item_id) WHERE i.item_id = 40;
SELECT (SELECT count(*) FROM orders o WHERE o.user_id = 4) AS n FROM users WHERE user_id = 4;
SELECT user_id FROM users WHERE user_id = 4 AND EXISTS (SELECT 1 FROM orders o WHERE o.user_id = users.user_id);
SELECT order_id, ROW_NUMBER() OVER (ORDER BY order_id) AS n FROM orders WHERE user_id = 7 ORDER BY order_id;
SELECT * FROM (SELECT order_id, total FROM orders WHERE user_id = 7) d ORDER BY order_id;
WITH mine AS (SELECT order_id, total FROM orders WHERE user_id = 7) SELECT * FROM mine ORDER BY order_id;
SELECT GROUP_CONCAT(order_id ORDER BY order_id) FROM orders WHERE user_id = 7;
SELECT JSON_UNQUOTE(JSON_EXTRACT(profile, '$.visits')) FROM users WHERE user_id = 7;
SELECT HEX(picture) FROM items WHERE item_id = 3;
SELECT name FROM users WHERE user_id = 7 FOR UPDATE;
SELECT name FROM users WHERE user_id = 7 LOCK IN SHARE MODE;
SELECT SQL_NO_CACHE name FROM users WHERE user_id = 7;
SELECT /* user_id = 8 */ name FROM users WHERE user_id = 7 -- and user_id = 8;
SELECT /*!40101 name, */ user_id FROM users WHERE user_id = 7;
SELECT name FROM users WHERE user_id = 7 LIMIT 0;
SELECT 'it''s', "a \"q\"", '\\' FROM users WHERE user_id = 7;
SELECT _utf8mb4'ü', N'x', x'41', b'1000001' FROM users WHERE user_id = 7;

-- Some shards
SELECT user_id, name FROM users WHERE user_id IN (1, 2, 3, 17, 33) ORDER BY user_id;
SELECT user_id, name FROM users WHERE user_id IN ('1', '2', '03') ORDER BY user_id;
SELECT user_id FROM users WHERE user_id BETWEEN 10 AND 14 ORDER BY user_id;
SELECT user_id FROM users WHERE user_id > 195 ORDER BY user_id DESC;
SELECT user_id FROM users WHERE user_id = 3 OR user_id = 20 ORDER BY user_id;
SELECT user_id FROM users WHERE user_id = 3 OR name = 'anna 김' ORDER BY user_id;
SELECT user_id FROM users WHERE NOT (user_id <> 3) ORDER BY user_id;
SELECT user_id FROM users WHERE (user_id = 3 AND level = 'gold') OR (user_id = 4 AND level <> 'gold') ORDER BY user_id;
SELECT user_id FROM users WHERE user_id = 3 XOR user_id = 4 ORDER BY user_id;
SELECT user_id FROM users WHERE (user_id, region_id) IN ((1, 5), (2, 3), (12, 8)) ORDER BY user_id;
SELECT item_id, title FROM items WHERE item_id IN (1, 2, 3, 4, 5) ORDER BY item_id;

-- All shards, merged
SELECT count(*) FROM users;
SELECT count(*), count(score), count(born) FROM users;
SELECT sum(balance), min(balance), max(balance), avg(balance) FROM users;
SELECT sum(score), avg(score) FROM users WHERE user_id < 0;
SELECT min(name), max(name) FROM users;
SELECT min(born), max(born), min(registered_at), max(registered_at) FROM users;
SELECT count(DISTINCT level) FROM users;
SELECT count(DISTINCT region_id) FROM users;
SELECT sum(quantity), max(counted_at) FROM stock;
SELECT user_id FROM users ORDER BY user_id LIMIT 5;
SELECT user_id FROM users ORDER BY user_id DESC LIMIT 5 OFFSET 7;
SELECT user_id FROM users ORDER BY user_id LIMIT 7, 5;
SELECT user_id, balance FROM users ORDER BY balance DESC, user_id LIMIT 10;
SELECT user_id, name FROM users ORDER BY name, user_id;
SELECT user_id, name FROM users ORDER BY name DESC, user_id DESC LIMIT 20;
SELECT user_id, born FROM users ORDER BY born, user_id;
SELECT user_id, born FROM users ORDER BY born DESC, user_id LIMIT 30;
SELECT user_id, level FROM users ORDER BY level, user_id;
SELECT user_id, score FROM users ORDER BY score, user_id LIMIT 25;
SELECT user_id, registered_at FROM users ORDER BY registered_at, user_id LIMIT 25;
SELECT item_id, weight_kg FROM items ORDER BY weight_kg, item_id;
SELECT item_id, picture FROM items ORDER BY picture, item_id;
SELECT order_id, created_at FROM orders ORDER BY created_at DESC, order_id LIMIT 10;
SELECT order_id, note FROM orders ORDER BY note, order_id LIMIT 50;
SELECT order_id, total * 2 AS twice FROM orders ORDER BY twice DESC, order_id LIMIT 5;
SELECT order_id FROM orders ORDER BY total % 7, order_id LIMIT 15;
SELECT name AS n FROM users ORDER BY n, user_id LIMIT 9;
SELECT name, user_id FROM users ORDER BY 1, 2 LIMIT 9;
SELECT concat(9 - region_id) AS region_id, user_id FROM users ORDER BY region_id, user_id LIMIT 12;
SELECT level, count(*) FROM users GROUP BY level ORDER BY level;
SELECT level, count(*) AS n, sum(balance) FROM users GROUP BY level ORDER BY n DESC, level;
SELECT region_id, avg(balance) FROM users GROUP BY region_id ORDER BY region_id;
SELECT status, region_id, count(*), max(total) FROM orders GROUP BY status, region_id ORDER BY status, region_id;
SELECT status, count(*) FROM orders GROUP BY status HAVING count(*) > 60 ORDER BY status;
SELECT status, count(*) AS n FROM orders GROUP BY status HAVING n > 60 ORDER BY n, status;
SELECT count(*) AS n, min(user_id) AS first FROM users GROUP BY name ORDER BY first;
SELECT YEAR(created_at) AS y, MONTH(created_at) AS m, count(*) FROM orders GROUP BY y, m ORDER BY y, m;
SELECT coupon, count(*) FROM orders GROUP BY coupon ORDER BY coupon;
SELECT status, min(note), max(note) FROM orders GROUP BY status ORDER BY status;
SELECT status, sum(total) / count(*) AS mean FROM orders GROUP BY status ORDER BY status;
SELECT count(*) + 1, sum(total) - 5 FROM orders;
SELECT region_id, level, count(*) FROM users GROUP BY region_id, level ORDER BY count(*) DESC, region_id, level LIMIT 7;
SELECT DISTINCT level FROM users ORDER BY level;
SELECT DISTINCT region_id FROM users ORDER BY region_id DESC LIMIT 4;
-- Which of equal names is shown is any server's choice, so this one is of texts that differ.
SELECT DISTINCT email FROM users ORDER BY email;
SELECT DISTINCT level, region_id FROM users ORDER BY level, region_id;
SELECT user_id FROM users WHERE name = 'Anna Smith' ORDER BY user_id;
SELECT user_id FROM users WHERE name = 'ANNA smith' ORDER BY user_id;
SELECT user_id FROM users WHERE name LIKE 'anna%' ORDER BY user_id;
SELECT user_id FROM users WHERE email = 'user44@example.org';
SELECT * FROM users WHERE balance > 90000 ORDER BY user_id;
SELECT * FROM items WHERE category = 'tea' ORDER BY item_id;
SELECT name FROM users;
SELECT * FROM stock;
SELECT item_id FROM items WHERE weight_kg IS NULL ORDER BY item_id;
SELECT user_id FROM users LIMIT 0;
SELECT count(*) FROM users WHERE level = 'gold' HAVING count(*) > 1000;
SELECT user_id FROM users UNION ALL SELECT user_id FROM users WHERE user_id = 1 ORDER BY user_id LIMIT 8;
SELECT level FROM users UNION SELECT status FROM orders ORDER BY 1;
SELECT SQL_CALC_FOUND_ROWS user_id FROM users ORDER BY user_id LIMIT 3;
SELECT stddev(total) FROM orders;
SELECT GROUP_CONCAT(DISTINCT status ORDER BY status) FROM orders;
SELECT bit_or(user_id), bit_and(region_id) FROM orders;
SELECT status, count(*) FROM orders GROUP BY status WITH ROLLUP;
SELECT order_id, ROW_NUMBER() OVER (ORDER BY order_id) AS n FROM orders ORDER BY order_id LIMIT 3;
SELECT any_value(level), count(*) FROM users;

-- Joins
SELECT u.user_id, count(o.order_id) FROM users u LEFT JOIN orders o ON o.user_id = u.user_id GROUP BY u.user_id ORDER BY 2 DESC, 1 LIMIT 10;
SELECT r.code, count(*) FROM orders o JOIN regions r ON r.region_id = o.region_id GROUP BY r.code ORDER BY r.code;
SELECT r.name, sum(o.total) FROM regions r JOIN orders o ON o.region_id = r.region_id GROUP BY r.name ORDER BY r.name;
SELECT u.user_id, o.order_id, i.line FROM users u JOIN orders o ON o.user_id = u.user_id JOIN order_items i ON i.user_id = o.user_id AND i.order_id = o.order_id WHERE u.user_id IN (3, 4, 5) ORDER BY 1, 2, 3;
SELECT u.user_id, r.name FROM users u, regions r WHERE r.region_id = u.region_id AND u.user_id < 12 ORDER BY 1;
SELECT i.item_id, s.quantity FROM items i JOIN stock s ON s.item_id = i.item_id WHERE i.flash_sale = 1 ORDER BY i.item_id;
SELECT r.name FROM regions r LEFT JOIN users u ON u.region_id = r.region_id WHERE u.user_id IS NULL ORDER BY r.name;
SELECT u.user_id FROM users u WHERE u.region_id IN (SELECT region_id FROM regions WHERE code LIKE 'CN-%') ORDER BY u.user_id;
SELECT u.user_id FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.user_id AND o.status = 'new') ORDER BY u.user_id;
SELECT u.user_id FROM users u WHERE u.user_id NOT IN (SELECT user_id FROM orders) ORDER BY u.user_id;
SELECT u.user_id, (SELECT max(o.total) FROM orders o WHERE o.user_id = u.user_id) AS m FROM users u ORDER BY u.user_id LIMIT 6;
SELECT o.order_id, i.title FROM orders o JOIN order_items l ON l.order_id = o.order_id AND l.user_id = o.user_id JOIN items i ON i.item_id = l.item_id WHERE o.user_id = 7 ORDER BY 1, 2;
SELECT a.user_id, b.user_id FROM users a JOIN users b ON b.region_id = a.region_id WHERE a.user_id = 1 AND b.user_id <> 1 ORDER BY 2;
SELECT count(*) FROM orders o JOIN order_items i ON i.order_id = o.order_id;

-- Broadcast and single tables
SELECT * FROM regions ORDER BY region_id;
SELECT count(*) FROM regions;
SELECT name FROM regions WHERE code = 'DE-BE';
SELECT * FROM coupons WHERE code = 'SAVE0007';
SELECT count(*), sum(uses_left) FROM coupons;
SELECT c.code, r.code FROM coupons c JOIN regions r ON r.region_id = c.percent ORDER BY 1, 2 LIMIT 5;
SELECT o.order_id, c.percent FROM orders o JOIN coupons c ON c.code = o.coupon ORDER BY 1 LIMIT 5;

-- Without tables
SELECT 1;
SELECT 1 + 1 AS two, 'x' AS x, NULL;
SELECT DATABASE(), SCHEMA();
SELECT @@autocommit, @@session.sql_mode;
SELECT @@version_comment LIMIT 1;
SELECT 1 FROM DUAL;
SELECT CONCAT('a', NULL), COALESCE(NULL, 2);
SELECT 1 UNION SELECT 2 ORDER BY 1;
DO 1;

-- Errors
SELECT nothing FROM users WHERE user_id = 7;
SELECT users.nothing FROM users WHERE user_id = 7;
SELECT nothing FROM users;
SELECT * FROM nowhere;
-- refused: unknown_schema
SELECT * FROM nowhere.users;
SELECT * FROM users WHERE user_id = (SELECT user_id FROM orders WHERE user_id = 7);
SELECT name FROM users u JOIN regions r ON r.region_id = u.region_id WHERE u.user_id = 7;
SELECT FROM users;
SELECT user_id, name FROM users WHERE user_id = 7 GROUP BY;
SELECT unknown_function(1);
