// What the server answers, as JSON. Answers that hold for the whole visit are asked for once.

/** @import { Answer, Kept } from "./types" */

const KEPT = ["/api/run", "/api/latents", "/api/concepts", "/api/runs", "/api/songs"];
/** @type {Map<string, Promise<any>>} */
const kept = new Map();

/** An answer that is no answer: `message` is a sentence for people. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status of HTTP; 0 for a server that does not answer. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} path @param {RequestInit} [options] */
async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("The server does not answer. It may have been stopped; start it again and retry.", 0);
  }
  const json = (response.headers.get("content-type") ?? "").includes("json");
  const body = json ? await response.json().catch(() => null) : null;
  if (response.ok && body !== null) return body;
  const said = body?.error ?? body?.detail;
  throw new ApiError(typeof said === "string" ? said : `The server answered ${response.status}.`, response.status);
}

/** What went wrong, in words. @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Whether a request ended because its page was left. @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";

/**
 * GET; the answers of `KEPT` are remembered until `forget`.
 * @template {string} Path
 * @param {Path} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<Path>>}
 */
export function get(path, signal) {
  if (!KEPT.includes(path)) return answer(path, { signal });
  const known = kept.get(path);
  if (known) return known;
  const asked = answer(path);
  asked.catch(() => kept.delete(path));
  kept.set(path, asked);
  return asked;
}

/** Ask again the next time. @param {keyof Kept} path */
export function forget(path) {
  kept.delete(path);
}

/** PUT or POST of JSON, or of text as it is. @param {"PUT" | "POST"} method @param {string} path @param {unknown} body */
export function send(method, path, body) {
  const raw = typeof body === "string";
  return answer(path, {
    method,
    headers: { "content-type": raw ? "application/octet-stream" : "application/json" },
    body: raw ? body : JSON.stringify(body),
  });
}

/**
 * Send a file and hear what fraction of it is sent.
 * @param {string} path
 * @param {File} file
 * @param {(share: number) => void} onProgress
 * @returns {Promise<any>}
 */
export function sendFile(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new ApiError("The file could not be sent: the server does not answer.", 0));
    request.onload = () => {
      const body = request.response;
      if (request.status >= 200 && request.status < 300 && body) resolve(body);
      else reject(new ApiError(body?.error ?? `The server answered ${request.status}.`, request.status));
    };
    request.send(file);
  });
}
