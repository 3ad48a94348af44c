-- The flash-sale shop, as one plain MySQL would hold it. Runs on MySQL 8+ and MariaDB 10.11.
-- Each statement begins with CREATE TABLE and the logical name, which the loader replaces.
CREATE TABLE regions (
    region_id INT NOT NULL PRIMARY KEY,
    code CHAR(6) NOT NULL,
    name VARCHAR(64) NOT NULL,
    shipping DECIMAL(6, 2) NOT NULL,
    UNIQUE KEY code (code)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE users (
    user_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    email VARCHAR(120) NOT NULL,
    region_id INT NOT NULL,
    level ENUM('plain', 'silver', 'gold', 'diamond') NOT NULL DEFAULT 'plain',
    balance DECIMAL(12, 2) NOT NULL DEFAULT 0.00,
    score FLOAT NULL,
    born DATE NULL,
    registered_at DATETIME NOT NULL,
    profile JSON NULL,
    KEY name (name),
    KEY region (region_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE items (
    item_id BIGINT NOT NULL PRIMARY KEY,
    title VARCHAR(120) NOT NULL,
    category ENUM('phone', 'book', 'tea', 'shoes', 'toy', 'lamp') NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    weight_kg DOUBLE NULL,
    flash_sale TINYINT(1) NOT NULL DEFAULT 0,
    attributes JSON NOT NULL,
    picture VARBINARY(32) NULL,
    KEY category (category, price)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE stock (
    item_id BIGINT NOT NULL PRIMARY KEY,
    quantity INT UNSIGNED NOT NULL,
    reserved INT UNSIGNED NOT NULL DEFAULT 0,
    counted_at DATETIME(3) NOT NULL
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE orders (
    order_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    region_id INT NOT NULL,
    status ENUM('new', 'paid', 'sent', 'done', 'cancelled') NOT NULL DEFAULT 'new',
    total DECIMAL(12, 2) NOT NULL,
    coupon VARCHAR(16) NULL,
    created_at DATETIME(3) NOT NULL,
    paid_at DATETIME NULL,
    note VARCHAR(200) NULL,
    KEY user (user_id, created_at),
    KEY created (created_at)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE order_items (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL,
    line SMALLINT UNSIGNED NOT NULL,
    user_id BIGINT NOT NULL,
    item_id BIGINT NOT NULL,
    quantity INT NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    UNIQUE KEY line (order_id, line),
    KEY user (user_id),
    KEY item (item_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;

CREATE TABLE coupons (
    code VARCHAR(16) NOT NULL PRIMARY KEY,
    percent TINYINT UNSIGNED NOT NULL,
    uses_left INT NOT NULL,
    valid_until DATETIME NOT NULL
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci;
