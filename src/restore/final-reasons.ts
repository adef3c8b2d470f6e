/** An image that the target is not to pull, or that has no valid name, will not come by itself: no waiting mends it. */
export const FINAL_REASONS: readonly string[] = ['ErrImageNeverPull', 'InvalidImageName'];
