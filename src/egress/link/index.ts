/**
 * The relay's connections, multiplexed over one pair of byte streams.
 *
 * Must not know what the connections carry.
 */
export { Mux } from "./mux.ts";
