// What the server answers, as JSON. Answers that hold for the whole visit are asked for once.

const KEPT = ["/api/run", "/api/latents", "/api/concepts", "/api/runs", "/api/songs"];
const kept = new Map();

/** An answer that is no answer: `message` is a sentence for people, `gone` says that the server was not there. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
    this.gone = status === 0;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. It may have been stopped; start it again and retry.", 0);
  }
  const json = (response.headers.get("content-type") ?? "").includes("json");
  const body = json ? await response.json().catch(() => null) : null;
  if (response.ok && body !== null) return body;
  const said = body?.error ?? body?.detail;
  throw new ApiError(typeof said === "string" ? said : `The server answered ${response.status}.`, response.status);
}

/** GET; the answers of `KEPT` are remembered until `forget`. */
export function get(path, signal) {
  if (!KEPT.includes(path)) return answer(path, { signal });
  if (!kept.has(path)) {
    const asked = answer(path);
    asked.catch(() => kept.delete(path));
    kept.set(path, asked);
  }
  return kept.get(path);
}

/** Ask again the next time. */
export function forget(path) {
  kept.delete(path);
}

/** PUT or POST of JSON, text or a file. */
export function send(method, path, body) {
  const raw = typeof body === "string" || body instanceof Blob;
  return answer(path, {
    method,
    headers: { "content-type": raw ? "application/octet-stream" : "application/json" },
    body: raw ? body : JSON.stringify(body),
  });
}

/** Send a file and hear how far it is: `onProgress(share)`. */
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
