/** until waits for a condition, and says what it waited for when it never came. */
export async function until(what, check, within = 30_000) {
  const end = Date.now() + within;
  for (let last; ; ) {
    try {
      const got = await check();
      if (got) return got;
      last = undefined;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`waited ${within / 1000} s in vain: ${what}${last ? ` (${last.message})` : ""}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
