//! The shop's rows.
//!
//! Owns: what is in the tables. Never: depends on anything but the fixed seeds: every call gives
//! the same rows on every machine.

use super::Scale;

/// A row: the value of its shard key, and its SQL tuple without parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: u64,
    pub values: String,
}

/// SplitMix64: small, well mixed, and the same everywhere.
struct Dice(u64);

impl Dice {
    /// Independent of other seeds and rows, so that two tables can draw the same row's values.
    fn new(seed: u64, row: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ row);
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or_default()]
    }
}

const REGION_SEED: u64 = 11;
const USER_SEED: u64 = 22;
const ITEM_SEED: u64 = 33;
const ORDER_SEED: u64 = 44;
const COUPON_SEED: u64 = 55;

const REGIONS: [(&str, &str); 24] = [
    ("CN-ZJ", "浙江"),
    ("CN-SH", "上海"),
    ("CN-BJ", "北京"),
    ("CN-GD", "广东"),
    ("JP-13", "東京"),
    ("JP-27", "大阪"),
    ("KR-11", "서울"),
    ("IN-MH", "महाराष्ट्र"),
    ("TH-10", "กรุงเทพฯ"),
    ("RU-MO", "Москва"),
    ("UA-30", "Київ"),
    ("GR-I", "Αττική"),
    ("DE-BE", "Berlin"),
    ("DE-BY", "Bayern"),
    ("FR-IDF", "Île-de-France"),
    ("ES-M", "Madrid"),
    ("PL-MZ", "Mazowieckie"),
    ("TR-34", "İstanbul"),
    ("EG-C", "القاهرة"),
    ("IL-TA", "תל אביב"),
    ("US-CA", "California"),
    ("US-NY", "New York"),
    ("BR-SP", "São Paulo"),
    ("ZA-GP", "Gauteng"),
];

const FAMILY: [&str; 24] = [
    "王",
    "李",
    "张",
    "陈",
    "佐藤",
    "鈴木",
    "김",
    "이",
    "Müller",
    "Schmidt",
    "García",
    "O'Neil",
    "Иванов",
    "Петренко",
    "Παπαδόπουλος",
    "Yılmaz",
    "Nguyễn",
    "शर्मा",
    "حسن",
    "כהן",
    "Smith",
    "Silva",
    "Dubois",
    "Åström",
];

const GIVEN: [&str; 24] = [
    "伟",
    "芳",
    "秀英",
    "太郎",
    "花子",
    "민준",
    "서연",
    "Jürgen",
    "Zoë",
    "José",
    "Siobhán",
    "Иван",
    "Олена",
    "Νίκος",
    "Ayşe",
    "Linh",
    "राहुल",
    "ليلى",
    "נועה",
    "anna",
    "Anna",
    "ANNA",
    "Björn",
    "😀 Max",
];

const CATEGORIES: [&str; 6] = ["phone", "book", "tea", "shoes", "toy", "lamp"];
const ADJECTIVES: [&str; 8] =
    ["Quiet", "Rapid", "Golden", "Small", "Øresund", "Zürich", "春", "Émile's"];
const COLOURS: [&str; 5] = ["red", "green", "blue", "black", "white"];
const NOTES: [&str; 5] =
    ["leave at the door", "ring twice", "it's a gift", "50% off? yes", "请放门口\\\\rear"];

/// A text as an SQL literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn cents(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Day `day` of 2024 (from 0 to 365), as a date.
fn date(day: u64) -> String {
    const MONTHS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = day % 366;
    for (index, days) in MONTHS.iter().enumerate() {
        if left < *days {
            return format!("2024-{:02}-{:02}", index + 1, left + 1);
        }
        left -= days;
    }
    unreachable!("a leap year has 366 days")
}

fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

fn row(key: u64, values: &[String]) -> Row {
    Row { key, values: values.join(", ") }
}

fn region_of_user(user: u64) -> u64 {
    Dice::new(REGION_SEED, user).below(REGIONS.len() as u64) + 1
}

fn price_of_item(item: u64) -> u64 {
    99 + Dice::new(ITEM_SEED, item).below(999_900)
}

pub fn regions(_: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    Box::new(REGIONS.iter().zip(1u64..).map(|((code, name), id)| {
        let shipping = Dice::new(REGION_SEED, id).below(2_000);
        row(id, &[id.to_string(), quoted(code), quoted(name), cents(shipping)])
    }))
}

pub fn coupons(_: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    Box::new((1u64..=200).map(|id| {
        let mut dice = Dice::new(COUPON_SEED, id);
        row(
            id,
            &[
                quoted(&format!("SAVE{id:04}")),
                (5 + dice.below(60)).to_string(),
                dice.below(1_000).to_string(),
                quoted(&format!("{} 23:59:59", date(300 + dice.below(66)))),
            ],
        )
    }))
}

pub fn users(scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    Box::new((1..=scale.users).map(|id| {
        let mut dice = Dice::new(USER_SEED, id);
        let name = format!("{} {}", dice.of(&GIVEN), dice.of(&FAMILY));
        let null = "NULL".to_owned();
        let score = dice.below(1_000_000);
        let born = dice.below(366 * 40);
        let profile = match dice.below(8) {
            0 => null.clone(),
            n => quoted(&format!(
                "{{\"visits\": {}, \"newsletter\": {}, \"tags\": [\"{}\", \"{}\"]}}",
                dice.below(500),
                n % 2 == 0,
                dice.of(&CATEGORIES),
                dice.of(&COLOURS)
            )),
        };
        row(
            id,
            &[
                id.to_string(),
                quoted(&name),
                quoted(&format!("user{id}@example.org")),
                region_of_user(id).to_string(),
                quoted(dice.of(&["plain", "plain", "plain", "silver", "gold", "diamond"])),
                cents(dice.below(10_000_000)),
                if score % 20 == 0 { null.clone() } else { format!("{:.2}", score as f64 / 7.0) },
                if born % 13 == 0 {
                    null
                } else {
                    quoted(
                        &format!("{}{}", 1965 + born / 366, &date(born % 365)[4..])
                            .replace("-02-29", "-02-28"),
                    )
                },
                quoted(&format!("{} {}", date(dice.below(200)), clock(dice.below(86_400)))),
                profile,
            ],
        )
    }))
}

pub fn items(scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    Box::new((1..=scale.items).map(|id| {
        let mut dice = Dice::new(ITEM_SEED + 1, id);
        let category = dice.of(&CATEGORIES);
        let weight = dice.below(50_000);
        row(
            id,
            &[
                id.to_string(),
                quoted(&format!("{} {category} {}", dice.of(&ADJECTIVES), id % 97)),
                quoted(category),
                cents(price_of_item(id)),
                if weight % 10 == 0 {
                    "NULL".to_owned()
                } else {
                    (weight as f64 / 1000.0).to_string()
                },
                u64::from(id % 20 == 0).to_string(),
                quoted(&format!(
                    "{{\"colour\": \"{}\", \"rating\": {}.{}}}",
                    dice.of(&COLOURS),
                    1 + dice.below(4),
                    dice.below(10)
                )),
                if weight % 7 == 0 {
                    "NULL".to_owned()
                } else {
                    format!("x'{:016x}ff00'", dice.next())
                },
            ],
        )
    }))
}

pub fn stock(scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    Box::new((1..=scale.items).map(|id| {
        let mut dice = Dice::new(ITEM_SEED + 2, id);
        let counted = format!("2024-11-10 {}.{:03}", clock(dice.below(86_400)), dice.below(1_000));
        let quantity = if id % 20 == 0 { 100_000 } else { dice.below(5_000) };
        row(
            id,
            &[id.to_string(), quantity.to_string(), dice.below(50).to_string(), quoted(&counted)],
        )
    }))
}

/// The user, and the lines (item, quantity) of an order: both tables draw them alike.
fn order_lines(order: u64, scale: &Scale) -> (u64, Vec<(u64, u64)>) {
    let mut dice = Dice::new(ORDER_SEED, order);
    let user = 1 + dice.below(scale.users);
    let lines = 1 + dice.below(3);
    // One order in four takes a flash-sale item, so that a few items are hot.
    let lines = (0..lines).map(|_| {
        let item = match dice.below(4) {
            0 => (20 * (1 + dice.below(5))).min(scale.items),
            _ => 1 + dice.below(scale.items),
        };
        (item, 1 + dice.below(4))
    });
    let lines = lines.collect();
    (user, lines)
}

pub fn orders(scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    let scale = *scale;
    Box::new((1..=scale.orders).map(move |id| {
        let (user, lines) = order_lines(id, &scale);
        let total: u64 = lines.iter().map(|(item, quantity)| price_of_item(*item) * quantity).sum();
        let mut dice = Dice::new(ORDER_SEED + 1, id);
        let status = dice.of(&["new", "paid", "paid", "sent", "done", "done", "done", "cancelled"]);
        let day = dice.below(315);
        let time = clock(dice.below(86_400));
        let null = "NULL".to_owned();
        let paid = match status {
            "new" | "cancelled" => null.clone(),
            _ => quoted(&format!("{} {}", date(day + dice.below(3)), clock(dice.below(86_400)))),
        };
        row(
            user,
            &[
                id.to_string(),
                user.to_string(),
                region_of_user(user).to_string(),
                quoted(status),
                cents(total),
                match dice.below(10) {
                    0 => quoted(&format!("SAVE{:04}", 1 + dice.below(200))),
                    _ => null.clone(),
                },
                quoted(&format!("{} {time}.{:03}", date(day), dice.below(1_000))),
                paid,
                if dice.below(5) == 0 { quoted(dice.of(&NOTES)) } else { null },
            ],
        )
    }))
}

pub fn order_items(scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
    let scale = *scale;
    Box::new((1..=scale.orders).flat_map(move |id| {
        let (user, lines) = order_lines(id, &scale);
        lines.into_iter().zip(1u64..).map(move |((item, quantity), line)| {
            let values =
                [id * 10 + line, id, line, user, item, quantity].map(|value| value.to_string());
            let price = cents(price_of_item(item));
            Row { key: user, values: format!("{}, {price}", values.join(", ")) }
        })
    }))
}
