// Numbers, times and durations as the language has them; times of day in the zone of the place. Times are µs UTC.
export class Format {
  constructor(language, zones) { this.language = language; this.zones = zones; this.made = {}; }

  // The zone of a place, or of the nearest one above it that has one; undefined: this browser's own.
  zone(place) {
    for (let path = place || ""; path; path = path.slice(0, Math.max(path.lastIndexOf("/"), 0))) if (this.zones[path]) return this.zones[path];
    return undefined;
  }

  made_of(kind, options) {
    const key = kind.name + JSON.stringify(options);
    return this.made[key] ??= new kind(this.language, options);
  }

  number(value, digits = 0) {
    return value === null || value === undefined ? "–" : this.made_of(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  }

  // As many digits as say something of a measured value.
  measure(value) {
    return typeof value === "number" ? this.made_of(Intl.NumberFormat, { maximumSignificantDigits: 5 }).format(value) : value ?? "–";
  }

  // A ratio; what has no denominator is a dash, not a zero.
  percent(ratio, digits = 1) {
    return ratio === null || ratio === undefined ? "–" : this.made_of(Intl.NumberFormat, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(ratio);
  }

  // A duration an operator can read: 45 s, 12 min, 3 h 05.
  span(micros) {
    const seconds = Math.floor(Math.max(micros, 0) / 1e6);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${String(Math.floor(seconds % 3600 / 60)).padStart(2, "0")}`;
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
  }

  minutes(value, digits = 1) { return `${this.number(value, digits)} min`; }

  day(at, place) { return this.made_of(Intl.DateTimeFormat, { timeZone: this.zone(place), year: "numeric", month: "short", day: "numeric" }).format(at / 1000); }

  // Time of day, with the date when that is not the day of `now`.
  time(at, place, now, seconds = true) {
    if (!at) return "–";
    const options = { timeZone: this.zone(place), hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (seconds) options.second = "2-digit";
    const clock = this.made_of(Intl.DateTimeFormat, options).format(at / 1000);
    if (!now || this.day(at, place) === this.day(now, place)) return clock;
    return `${this.made_of(Intl.DateTimeFormat, { timeZone: this.zone(place), day: "numeric", month: "short" }).format(at / 1000)} ${clock}`;
  }

  // How the zone of a place is called.
  zone_name(place, at) {
    const parts = this.made_of(Intl.DateTimeFormat, { timeZone: this.zone(place), timeZoneName: "short" }).formatToParts(at / 1000);
    return parts.find(part => part.type === "timeZoneName")?.value ?? "";
  }
}
