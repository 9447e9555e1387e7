// The exit codes every command keeps to; scripts rely on them, so a number must never change its meaning.

/** 64 and above are those of sysexits.h; the launcher ends with 69 when it finds no runtime. */
export const EXIT: Readonly<{ ok: 0; no: 1; usage: 2; noRuntime: 69; internal: 70 }> = {
  ok: 0,
  no: 1,
  usage: 2,
  noRuntime: 69,
  internal: 70,
};
