// Colours come from style.css and palette.py, so that they follow the reader's colour scheme.
const scheme = window.matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Number of a blob in every view: its rank, from 1, by contribution or by attention weight; `blob.slot`, from 0, names it in links. */
const blobNumber = (blob) => String(blob.rank);

/** Colour of a place, from 0; the number beside it tells apart blobs that share one. */
const blobColour = (place) => colour(`blob-${place % Number(colour("blobs"))}`);

function channels(hex) {
  const full = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit).join("") : hex.slice(1);
  return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16));
}

/** Relative luminance (WCAG 2). */
function luminance(hex) {
  const [r, g, b] = channels(hex).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever reads better on a colour (contrast of 4.5 or more with any). */
const textOn = (hex) => (luminance(hex) > 0.179 ? "#000000" : "#ffffff");

/** Of a contribution, as signed_colour in palette.py, with the ends of the reader's colour scheme. */
function signedColour(value, largest) {
  const share = largest > 0 ? Math.min(Math.abs(value) / largest, 1) : 0;
  return mixed(colour("neither"), colour(value > 0 ? "for" : "against"), share);
}

/** From --low to --high for a share from 0 to 1. */
const shade = (share) => mixed(colour("low"), colour("high"), share);

function mixed(low, high, share) {
  const end = channels(high);
  return "#" + channels(low).map((from, at) => Math.round(from + (end[at] - from) * share).toString(16).padStart(2, "0")).join("");
}
