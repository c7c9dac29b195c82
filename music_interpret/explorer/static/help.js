// The "?" of the explorer's page, whose words come from the server.

import { helpFrom } from "./views/help.js";

/** @import { Help } from "./views/types" */

/** @type {Record<string, string>} */
let words = {};

/** Set once, to what /api/run says. @param {Record<string, string>} table */
export function setHelp(table) {
  words = table;
}

/** @type {Help} */
export const help = (key, title, sentence) => helpFrom(words)(key, title, sentence);
