// SimpleJWT's access tokens (HS256), checked with the crypto module that Bun and Node share.
import { createHmac, timingSafeEqual } from "node:crypto";

const secret = process.env.SECRET;

/** The user's id, or undefined when the token is not good. */
export function verify(token) {
  const [header, payload, signature, ...rest] = (token ?? "").split(".");
  if (!signature || rest.length > 0) return undefined;
  const wanted = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  const { alg } = JSON.parse(Buffer.from(header, "base64url"));
  const good = alg === "HS256" && claims.token_type === "access" && claims.exp > Date.now() / 1000;
  return good ? Number(claims.user_id) : undefined;
}
