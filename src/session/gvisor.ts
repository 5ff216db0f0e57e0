/** The winbar's label for a sandbox that has been proven to be gVisor. */
export const GVISOR = "gVisor";
