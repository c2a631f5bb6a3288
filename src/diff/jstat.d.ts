/** What is used of jstat, which has no types of its own. */
declare module 'jstat' {
  const jstat: {
    jStat: {
      /** natural logarithm of the gamma function */
      gammaln(x: number): number;
      /** complementary error function */
      erfc(x: number): number;
    };
  };
  export default jstat;
}
