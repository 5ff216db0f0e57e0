/**
 * The relay's connections, multiplexed over one pair of streams.
 *
 * It must not know what the connections carry.
 */
export { Mux } from "./mux.ts";
