// How wide an element is, so that a drawing is made for its size and text in it stays readable.
import { useLayoutEffect, useRef, useState } from "/static/kit.js";

export function useWidth(usual = 600) {
  const ref = useRef(null), [width, set] = useState(usual);
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(([entry]) => set(Math.max(Math.round(entry.contentRect.width), 160)));
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return [ref, width];
}

// The size of letters (CSS pixels), from which heights follow.
export const em = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

// Round steps that make at most `most` parts of a length.
export function step(length, most, steps) {
  return steps.find(one => length / one <= most) ?? steps[steps.length - 1];
}

const MIN = 60e6, H = 60 * MIN, D = 24 * H;
export const TIME_STEPS = [MIN, 2 * MIN, 5 * MIN, 10 * MIN, 15 * MIN, 30 * MIN, H, 2 * H, 3 * H, 6 * H, 12 * H, D, 2 * D, 7 * D];

// Times (µs) for the labels of an axis; whole steps of UTC, which are whole in nearly every zone.
export function ticks(begin, end, most) {
  const by = step(end - begin, most, TIME_STEPS), found = [];
  for (let at = Math.ceil(begin / by) * by; at <= end; at += by) found.push(at);
  return found;
}

// Round numbers over a range, at most `most`.
export function scale(low, high, most) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 5, 10].map(n => n * power).find(one => one >= rough), found = [];
  for (let n = Math.ceil(low / by); n * by <= high + by * 1e-9; n++) found.push(n * by);
  return found;
}
