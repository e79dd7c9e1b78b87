// Quantities of resources (500m, 1Gi, 1e3) in the one form in which the API server writes them back. What is desired in another
// form is never found to be in force, and would be written for ever.
// Source: k8s.io/apimachinery, pkg/api/resource/quantity.go, "canonical form"; resource lists are rounded up to thousandths.

const NUMBER =
  /^(?<whole>[0-9]{0,15})(?:\.(?<fraction>[0-9]{0,9}))?(?<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$/;
/** By powers of 1000, from 10^-9 on. */
const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/** Place of 10^0 among them. */
const UNIT = DECIMAL.indexOf("");
/** By powers of 1024. */
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** Null for what is no quantity, or negative. */
export function canonicalQuantity(text: string): string | null {
  const { whole = "", fraction = "", suffix = "" } = NUMBER.exec(text)?.groups ?? {};
  if (whole === "" && fraction === "") return null;
  const thousandths = 1000n * BigInt(whole + fraction);
  const places = fraction.length;
  if (suffix.endsWith("i")) {
    const factor = 1024n ** BigInt(BINARY.indexOf(suffix));
    return binary(ceiling(thousandths * factor, 10n ** BigInt(places)));
  }
  const isExponent = suffix.length > 1;
  const power = (isExponent ? Number(suffix.slice(1)) : 3 * (DECIMAL.indexOf(suffix) - UNIT)) - places;
  const scaled = power < 0 ? ceiling(thousandths, 10n ** BigInt(-power)) : thousandths * 10n ** BigInt(power);
  return decimal(scaled, isExponent);
}

/** In the largest power of 1000 of which it is a whole number. */
function decimal(thousandths: bigint, isExponent: boolean): string {
  if (thousandths === 0n) return "0";
  let place = UNIT - 1;
  let value = thousandths;
  while (value % 1000n === 0n && place < DECIMAL.length - 1) {
    value /= 1000n;
    place += 1;
  }
  if (!isExponent || place === UNIT) return `${value}${DECIMAL[place]}`;
  return `${value}e${3 * (place - UNIT)}`;
}

function binary(thousandths: bigint): string {
  if (thousandths < 1024n * 1000n || thousandths % 1000n !== 0n) return decimal(thousandths, false);
  let place = 0;
  let value = thousandths / 1000n;
  while (value % 1024n === 0n && place < BINARY.length - 1) {
    value /= 1024n;
    place += 1;
  }
  return `${value}${BINARY[place]}`;
}

function ceiling(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
