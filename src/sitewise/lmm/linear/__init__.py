"""Linear functions of a fitted model: tests, contrasts, F tests, marginal means, multiplicity.

Nothing here sees a row of data: all follows from the solution (`sitewise.lmm.engine.Solution`).

- `method`: which degrees of freedom, which information, which form.
- `wald`: the one object that everything else asks: covariance, df and F of linear combinations.
- `delta` (Satterthwaite, Kenward-Roger), `between_within`: what stands behind it.
- `tests`, `anova`: tables, `table`: how they print. `grid`, `emmeans`, `estimable`, `comparisons`:
  marginal means and comparisons; `multiplicity`, `simultaneous`: their adjusted p.
"""
