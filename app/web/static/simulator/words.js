// The page's words, and times and numbers as its language writes them.

const TABLE = JSON.parse(document.body.dataset.words);
const LANGUAGE = document.documentElement.lang;
// Where the browser knows how this language is written in the visitor's country, it is asked.
const LOCALE = navigator.languages.find((locale) => locale.split("-")[0] === LANGUAGE) ?? LANGUAGE;

const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const SECONDS = new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const PLURALS = new Intl.PluralRules(LANGUAGE);

/** The words at `table.key`, with `{names}` filled in. */
export function say(path, values = {}) {
  const found = path.split(".").reduce((table, key) => table?.[key], TABLE);
  const words = typeof found === "object" ? (found[PLURALS.select(values.count)] ?? found.other) : found;
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The words for a code of the gateway's; one that this page does not know is shown as it is. */
export function explain(table, code, values = {}) {
  const known = Object.hasOwn(TABLE[table], code) ? code : "other";
  return say(`${table}.${known}`, { code, ...values });
}

export const languageName = (code) => TABLE.language_names[code] ?? code;

/** The hour; with the day before it where that is not today. */
export function hour(iso) {
  const time = iso ? new Date(iso) : new Date();
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? CLOCK.format(time) : `${DAY.format(time)}, ${CLOCK.format(time)}`;
}

export function exactTime(iso) {
  const time = new Date(iso);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? SECONDS.format(time) : `${DAY.format(time)}, ${SECONDS.format(time)}`;
}

/** +393331234567 as +39 333 123 4567: Italian mobiles in the way they are said, others plain. */
export function spaced(number) {
  const mobile = /^(\+39)(3\d\d)(\d{3})(\d{3,4})$/.exec(number);
  return mobile ? mobile.slice(1).join(" ") : number;
}
